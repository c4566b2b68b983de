# Puts the acknowledgement and the reopening on each queue by themselves, so that one queue can lose them, and prints a token for the user `monitor`.
use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use RT -init;
use RT::AuthToken;

sub must { my ($ok, $message) = @_; die "$message\n" unless $ok; }

for my $rule ('On Create Autoreply To Requestors', 'On Correspond Open Inactive Tickets') {
    my $scrip = RT::Scrip->new(RT->SystemUser);
    $scrip->LoadByCols(Description => $rule);
    die "no rule $rule\n" unless $scrip->id;
    must($scrip->RemoveFromObject(0));
    my $queues = RT::Queues->new(RT->SystemUser);
    $queues->UnLimit;
    while (my $queue = $queues->Next) { must($scrip->AddToObject($queue->id)) if $queue->Name ne '___Approvals' }
}

my $user = RT::User->new(RT->SystemUser);
$user->Load('monitor');
my ($ok, $message, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->id, Description => 'replypath');
must($ok, $message);
print "$token\n";
