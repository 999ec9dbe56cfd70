# What both formats need: whole files, and the messages of a folder.
package Folder;
use strict;
use warnings;
use Exporter 'import';
use IO::Handle;

our @EXPORT = qw(lines replace messages);

# The lines of a file, without their ends; none when there is no such file.
sub lines {
    my ($path) = @_;
    open my $file, '<', $path or return;
    chomp(my @lines = <$file>);
    return @lines;
}

# Puts a file in its place, on disk and whole.
sub replace {
    my ($path, @lines) = @_;
    open my $file, '>', "$path.new" or die "adopt: $path: $!\n";
    (print {$file} map { "$_\n" } @lines) && $file->flush && $file->sync && close $file or die "adopt: $path: $!\n";
    rename "$path.new", $path or die "adopt: $path: $!\n";
}

# Each message: its folder (cur or new), the part of its name that stays the same, and its flags.
sub messages {
    my ($folder) = @_;
    return map {
        my $part = $_;
        opendir my $here, "$folder/$part" or die "adopt: $folder/$part: $!\n";
        map { /^(\w[^:]*)(?::2,(.*))?$/s ? [$part, $1, $2 // ''] : () } readdir $here;
    } qw(cur new);
}

1;
