# A report may be about a message that a filter forwarded in vain, and holds it. Forwarded the same way it would be lost, because
# it has no sender to go back to (RFC 5321 section 4.5.5): it goes to the inbox, past the user's filters.
require ["envelope", "fileinto"];

if allof (envelope :is "from" "", header :contains "Content-Type" "multipart/report") {
    fileinto "INBOX";
}
