# Initial data of the Request Tracker under test: queues, people and what they may do.
my $lanes = $ENV{REPLYPATH_LANES} || 0;
@Queues = (
    { Name => 'Billing', Description => 'Billing questions', CorrespondAddress => 'billing@desk.test', CommentAddress => '' },
    map +{ Name => "Lane$_", Description => "Lane $_", CorrespondAddress => "lane$_\@desk.test", CommentAddress => '' },
    map { sprintf '%02d', $_ } 1 .. $lanes
);
@Users = (
    { Name => 'agent1',  Password => 'agent1-pass',  EmailAddress => 'agent1@desk.test',  RealName => 'Agent One',    Privileged => 1 },
    { Name => 'monitor', Password => 'monitor-pass', EmailAddress => 'monitor@desk.test', RealName => 'Paula Keller', Privileged => 1 },
);
@Groups = ({ Name => 'Support', Description => 'Support agents', Members => { Users => [ 'agent1', 'monitor' ] } });
@ACL = (
    # What strangers need so that their mail becomes a ticket.
    (map +{ GroupDomain => 'SystemInternal', GroupType => 'Everyone', Right => $_ }, qw(CreateTicket ReplyToTicket SeeQueue)),
    (map +{ GroupDomain => 'RT::System-Role', GroupType => 'Requestor', Right => $_ }, qw(ShowTicket)),
    (map +{ GroupDomain => 'UserDefined', GroupId => 'Support', Right => $_ },
        qw(SeeQueue ShowTicket ShowTicketComments ShowOutgoingEmail CreateTicket ReplyToTicket CommentOnTicket OwnTicket ModifyTicket
           TakeTicket DeleteTicket Watch SeeCustomField ShowTemplate)),
    (map +{ UserId => 'monitor', Right => $_ }, qw(ManageAuthTokens)),
);
1;
