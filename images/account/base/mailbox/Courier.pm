# What Courier keeps: courierimapuiddb ("1 UIDVALIDITY NEXT", then "UID NAME"), courierimapkeywords/ and courierimapsubscribed.
package Courier;
use strict;
use warnings;
use Folder;

sub read_folder {
    my ($folder) = @_;
    my ($header, @entries) = lines("$folder/courierimapuiddb");
    my ($validity, $next) = ($header // '') =~ /^1 (\d+) (\d+)/ or return;
    return {
        validity => $validity,
        next => $next,
        uids => { map { /^(\d+) ([^:]+)/ ? ($2 => $1) : () } @entries },
        keywords => read_keywords("$folder/courierimapkeywords"),
    };
}

# ":list" has the keywords, an empty line, and "NAME:INDEX..." for each message that has some. What has changed since is in
# a file with the message's name, until it is merged and its name gets a dot in front (maildirkeywords4.c).
sub read_keywords {
    my ($directory) = @_;
    my (@known, %keywords);
    my @list = lines("$directory/:list");
    while (defined(my $line = shift @list)) {
        last if $line eq '';
        push @known, $line;
    }
    for (@list) {
        my ($name, $indexes) = /^(.+):([\d ]*)$/ or next;
        $keywords{$name} = [@known[grep { $_ < @known } split ' ', $indexes]];
    }
    opendir my $here, $directory or return \%keywords;
    for my $name (grep { /^[^.:]/ } readdir $here) {
        $keywords{$name} = [grep { $_ ne '' } lines("$directory/$name")];
    }
    return \%keywords;
}

sub write_folder {
    my ($folder, $kept) = @_;
    my $uids = $kept->{uids};
    my @entries = map { "$uids->{$_} $_" } sort { $uids->{$a} <=> $uids->{$b} } keys %$uids;
    replace("$folder/courierimapuiddb", "1 $kept->{validity} $kept->{next}", @entries);

    # What lies in "new" is without a UID.
    for (grep { $_->[0] eq 'new' && $uids->{ $_->[1] } } messages($folder)) {
        rename "$folder/new/$_->[1]", "$folder/cur/$_->[1]:2," or die "adopt: $folder: $!\n";
    }

    my $directory = "$folder/courierimapkeywords";
    -d $directory or mkdir $directory or die "adopt: $directory: $!\n";
    my $keywords = $kept->{keywords};
    my %used = map { $_ => 1 } map { @$_ } values %$keywords;
    my @known = sort keys %used;
    my %index = map { $known[$_] => $_ } 0 .. $#known;
    my @messages = map { "$_:" . join ' ', @index{ @{ $keywords->{$_} } } } grep { @{ $keywords->{$_} } } sort keys %$keywords;
    replace("$directory/:list", @known, '', @messages);
    opendir my $here, $directory or die "adopt: $directory: $!\n";
    unlink map { "$directory/$_" } grep { !/^\.{1,2}$|^:list$/ } readdir $here;
}

sub read_subscriptions {
    return map { /^INBOX\.(.+)/ ? $1 : () } lines('courierimapsubscribed');
}

# Dovecot makes the special folders when somebody looks into them, here they have to be there.
sub write_subscriptions {
    my (@folders) = @_;
    for my $folder (qw(Sent Drafts Trash Junk)) {
        push @folders, $folder if !grep { $_ eq $folder } @folders;
        for my $directory (".$folder", map { ".$folder/$_" } qw(cur new tmp)) {
            -d $directory or mkdir $directory or die "adopt: $directory: $!\n";
        }
    }
    replace('courierimapsubscribed', map { "INBOX.$_" } @folders);
}

1;
