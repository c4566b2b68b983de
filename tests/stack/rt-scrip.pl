# rt-scrip.pl on|off QUEUE RULE: whether that queue has the rule (a scrip, by its description).
use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use RT -init;
my ($switch, $name, $rule) = @ARGV;
my $queue = RT::Queue->new(RT->SystemUser);
$queue->Load($name);
die "no queue $name\n" unless $queue->id;
my $scrip = RT::Scrip->new(RT->SystemUser);
$scrip->LoadByCols(Description => $rule);
die "no rule $rule\n" unless $scrip->id;
my ($ok, $message) = $switch eq 'off' ? $scrip->RemoveFromObject($queue->id) : $scrip->AddToObject($queue->id);
# Already as wanted is fine.
die "$message\n" unless $ok || $message =~ /not added|already/i;
