# A sender that was killed between our "250" and its own note of it sends again (RFC 5321 section 4.5.4.1, RFC 1047). The
# mailbox itself says whether the message has been delivered. It is asked only where that can be: the message was requeued at a start
# of main, of this account or of the one that wrote it (a header that begins "by"), or it arrived in main in another minute than here, or
# than in the account that wrote it. The topmost headers are this account's and main's, which no sender writes.
require ["envelope", "index", "variables", "vnd.dovecot.execute"];

set "here" "unknown";
if header :index 1 :matches "Received" "from *; *, * *:*:*" {
    set "here" "${3} ${4}:${5}";
}
if header :index 2 :matches "Received" "from *?by mail.* (Postfix) with * id *; *, * *:*:*" {
    set "arrived" "${7} ${8}:${9}";
}
set "written" "${arrived}";
if header :index 2 :matches "Received" "from *?by mail.* (Postfix) with *SMTPSA id *" {
    set "written" "unknown";
    if header :index 3 :matches "Received" ["from *; *, * *:*:*", "by * userid 1000) *; *, * *:*:*"] {
        set "written" "${3} ${4}:${5}";
    }
}
if allof(not allof(string "${here}" "${arrived}", string "${written}" "${arrived}"), envelope :matches "to" "*") {
    if execute :pipe "delivered" ["${1}"] {
        discard;
    }
}
