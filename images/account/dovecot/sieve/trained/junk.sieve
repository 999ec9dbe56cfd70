# What the owner's filter takes for spam, and what main did unless his filter is sure that it is wanted; unless a script of the
# owner's has put it elsewhere.
require ["fileinto", "variables", "vnd.dovecot.execute"];

set "verdict" "";
# The same size as in junk/learn. What cannot be judged is delivered all the same.
if size :under 256K {
    if not execute :pipe :output "verdict" "judge" {
        set "verdict" "";
    }
}
if string :matches "${verdict}" "S *" {
    fileinto "Junk";
} elsif allof (not string :matches "${verdict}" "H *", header :is "X-Spam" "Yes") {
    fileinto "Junk";
}
