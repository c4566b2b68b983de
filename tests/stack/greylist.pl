#!/usr/bin/perl
# Postfix policy service: defers a sender and recipient that were first seen less than SECONDS ago.
# greylist.pl DIR SECONDS   (DIR holds one empty file for each pair; its time is when the pair was first seen)
use strict;
use warnings;
my ($dir, $seconds) = @ARGV;
$| = 1;
my %asked;
while (my $line = <STDIN>) {
    chomp $line;
    if ($line =~ /^([^=]+)=(.*)$/) { $asked{$1} = $2; next }
    (my $name = lc "$asked{sender} $asked{recipient}") =~ s/[^a-z0-9@.]/_/g;
    my $file = "$dir/$name";
    if (!-e $file) { open(my $new, '>', $file) or die "$file: $!"; close $new }
    my $age = time - (stat $file)[9];
    print $age < $seconds
        ? "action=defer_if_permit 4.7.1 Greylisted, see you in " . ($seconds - $age) . " seconds\n\n"
        : "action=dunno\n\n";
    %asked = ();
}
