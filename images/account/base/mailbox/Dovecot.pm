# What Dovecot keeps: dovecot-uidlist ("3 VUIDVALIDITY NNEXT ...", then "UID ... :NAME"), dovecot-keywords ("INDEX KEYWORD",
# where index 0 is the letter a among a message's flags) and subscriptions. Its indexes it mends from these by itself.
package Dovecot;
use strict;
use warnings;
use Folder;

my $LETTERS = 26;

sub read_folder {
    my ($folder) = @_;
    my ($header, @entries) = lines("$folder/dovecot-uidlist");
    my ($validity, $next) = ($header // '') =~ /^3 (?=.*\bV(\d+))(?=.*\bN(\d+))/ or return;
    my %uids = map { /^(\d+) (?:[^:]* )?:([^:]+)/ ? ($2 => $1) : () } @entries;
    for (values %uids) { $next = $_ + 1 if $_ >= $next }
    my @known = known("$folder/dovecot-keywords");
    my %keywords = map {
        my (undef, $name, $flags) = @$_;
        $name => [grep { defined } map { $known[ord($_) - ord 'a'] } $flags =~ /[a-z]/g];
    } messages($folder);
    return { validity => $validity, next => $next, uids => \%uids, keywords => \%keywords };
}

sub known {
    my @known;
    for (lines($_[0])) { $known[$1] = $2 if /^(\d+) (.+)$/ && $1 < $LETTERS }
    return @known;
}

sub write_folder {
    my ($folder, $kept) = @_;
    # A message's keywords first: when its name has changed, the list of UIDs still knows it.
    my @known = known("$folder/dovecot-keywords");
    my %index = map { defined $known[$_] ? ($known[$_] => $_) : () } 0 .. $#known;
    my @renamed;
    for (messages($folder)) {
        my ($part, $name, $flags) = @$_;
        my %letter;
        for my $keyword (@{ $kept->{keywords}{$name} // [] }) {
            if (!defined $index{$keyword}) {
                next if @known == $LETTERS;
                push @known, $keyword;
                $index{$keyword} = $#known;
            }
            $letter{ chr $index{$keyword} + ord 'a' } = 1;
        }
        my $wanted = join '', $flags =~ /[^a-z]/g, sort keys %letter;
        push @renamed, ["$folder/$part/$name" . ($part eq 'cur' ? ":2,$flags" : ''), "$folder/cur/$name:2,$wanted"]
            if $wanted ne $flags;
    }
    replace("$folder/dovecot-keywords", map { defined $known[$_] ? "$_ $known[$_]" : () } 0 .. $#known);
    for (@renamed) { rename $_->[0], $_->[1] or die "adopt: $_->[0]: $!\n" }

    my $uids = $kept->{uids};
    my ($header) = lines("$folder/dovecot-uidlist");
    my ($guid) = ($header // '') =~ /( G\w+)/;
    my @entries = map { "$uids->{$_} :$_" } sort { $uids->{$a} <=> $uids->{$b} } keys %$uids;
    replace("$folder/dovecot-uidlist", "3 V$kept->{validity} N$kept->{next}" . ($guid // ''), @entries);
}

sub read_subscriptions {
    my (undef, undef, @folders) = lines('subscriptions');
    return map { tr/\t/./r } @folders;
}

sub write_subscriptions {
    my (@folders) = @_;
    replace('subscriptions', "V\t2", '', map { tr/./\t/r } @folders);
}

1;
