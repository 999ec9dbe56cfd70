# A sender that was killed between our "250" and its own note of it sends again (RFC 5321 section 4.5.4.1, RFC 1047).
# main's queue id tells that it is the same message: it stands below this account's Received header in main's, which no
# sender writes. The mailbox itself says whether the message has been delivered. It is asked only where that can be: the
# message was requeued at a start of main or of this account (the header above begins "by"), or it arrived in main in
# another minute than here.
require ["envelope", "index", "variables", "vnd.dovecot.execute"];

set "here" "unknown";
if header :index 1 :matches "Received" "from *; *, * *:*:*" {
    set "here" "${3} ${4}:${5}";
}
if header :index 2 :matches "Received" "from *?by mail.* (Postfix) with * id *; *, * *:*:*" {
    set "arrived" "${7} ${8}:${9}";
}
if allof(not string "${here}" "${arrived}", envelope :matches "to" "*") {
    set "to" "${1}";
    if header :matches "Received" "from *?by mail.* (Postfix) with * id *; *, *" {
        set "id" "${5}";
        set "date" "${7}";
        if string :matches "${id}" "*?for *" {
            set "id" "${1}";
        }
        if execute "delivered" ["${id}", "${to}", "${date}"] {
            discard;
        }
    }
}
