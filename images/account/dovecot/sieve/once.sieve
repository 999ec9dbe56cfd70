# A sender that was killed between our "250" and its own note of it sends again (RFC 5321 section 4.5.4.1, RFC 1047).
# main's queue id tells that it is the same message: it stands in the topmost Received header of main's, which no sender
# writes. It is remembered when all scripts have run to their end (RFC 7352).
require ["duplicate", "envelope", "variables"];

if envelope :matches "to" "*" {
    set "to" "${1}";
}
if header :matches "Received" "from *?by mail.* (Postfix) with * id *;*" {
    if duplicate :uniqueid "${5} ${to}" {
        discard;
    }
}
