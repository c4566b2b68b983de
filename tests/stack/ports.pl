#!/usr/bin/perl
# ports.pl NAME...: prints NAME=PORT for a block of free loopback ports, proved free by binding all of them at once.
# Below the range from which the kernel takes ports for outgoing connections, so that none is lost between now and use.
use strict;
use warnings;
use IO::Socket::INET;
my @names = @ARGV;
TRY: for (1 .. 200) {
    my $base = 11000 + 50 * int rand 420;
    my @held;
    for my $i (0 .. $#names) {
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $base + $i, Listen => 1, ReuseAddr => 1) or next TRY;
        push @held, $s;
    }
    print map { "$names[$_]=" . ($base + $_) . "\n" } 0 .. $#names;
    exit 0;
}
die "no block of free ports\n";
