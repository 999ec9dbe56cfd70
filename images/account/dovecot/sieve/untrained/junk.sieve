# What main took for spam, unless a filter of the owner's has put it elsewhere.
require "fileinto";

if header :is "X-Spam" "Yes" {
    fileinto "Junk";
}
