#!/usr/bin/perl
# bench.pl STACK BINARY roundtrips|idle|waiting|start|ways|page: one set of figures; see README.md.
use strict;
use warnings;
use utf8;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use JSON::PP;
use Time::HiRes qw(time sleep);

my ($stack, $binary, $what) = @ARGV;
my %env = map { /^([^=]+)=(.*)$/ ? ($1, $2) : () } lines("$stack/env");
$| = 1;
binmode STDOUT, ':encoding(UTF-8)';
my %sets = (roundtrips => \&roundtrips, idle => \&idle, waiting => \&waiting, start => \&start, ways => \&ways, page => \&page);
($sets{$what} or die "bench: $what is none of " . join(', ', sort keys %sets) . "\n")->();

sub lines { my ($file) = @_; open(my $f, '<', $file) or die "$file: $!\n"; my @l = <$f>; chomp @l; return @l }
sub spew { my ($file, $text) = @_; open(my $f, '>', $file) or die "$file: $!\n"; print $f $text; close $f }

# The value at a share of the sorted list, in milliseconds.
sub at { my ($share, @v) = @_; @v = sort { $a <=> $b } @v; return @v ? 1000 * $v[$share * $#v] : 0 }

# Starts a program; its output goes into a file.
sub launch {
    my ($out, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    open(STDOUT, '>', $out);
    open(STDERR, '>', "$out.err");
    open(STDIN, '<', '/dev/null');
    exec @command or POSIX::_exit(127);
}

# Highest and present memory of a process in MB, as the kernel keeps them.
sub memory {
    my ($pid) = @_;
    open(my $f, '<', "/proc/$pid/status") or return;
    my %m = map { /^(VmHWM|VmRSS):\s+(\d+)/ ? ($1, $2 / 1024) : () } <$f>;
    return @m{qw(VmHWM VmRSS)};
}

# Waits for a process: its exit status, CPU seconds and peak memory.
sub finish {
    my ($pid) = @_;
    my ($peak, $before) = (0, join '', (times)[2] + (times)[3]);
    while (waitpid($pid, POSIX::WNOHANG()) == 0) {
        my ($high) = memory($pid);
        $peak = $high if $high && $high > $peak;
        sleep 0.02;
    }
    my $status = $?;
    return ($status, (times)[2] + (times)[3] - $before, $peak);
}

# A process that notes when a file comes into a Maildir's new/, by inotify: lines "USER TIME" in a file.
sub clock {
    my ($out, @users) = @_;
    my ($init, $add) = (POSIX::uname())[4] eq 'aarch64' ? (26, 27) : (294, 254);
    pipe(my $ready, my $tell);
    my $pid = fork // die "fork: $!\n";
    if ($pid) { close $tell; <$ready>; return $pid }
    open(my $file, '>', $out) or die "$out: $!\n";
    $file->autoflush(1);
    my $fd = syscall($init, 0);
    die "inotify: $!\n" if $fd < 0;
    my %who;
    for my $user (@users) {
        my ($name, $domain) = split /@/, $user;
        my $path = "$stack/mail/$domain/$name/new\0";
        my $wd = syscall($add, $fd, $path, 0x80);    # IN_MOVED_TO
        die "$path: $!\n" if $wd < 0;
        $who{$wd} = $user;
    }
    # Real-time priority where it is allowed, so that a busy machine does not delay the note.
    my $priority = pack 'i', 10;
    syscall((POSIX::uname())[4] eq 'aarch64' ? 119 : 144, 0, 1, $priority);
    open(my $events, '<&=', $fd) or die "inotify: $!\n";
    print $tell "ready\n";
    close $tell;
    while (sysread($events, my $bytes, 65536)) {
        my $now = time;
        while (length $bytes) {
            my ($wd, undef, undef, $size) = unpack 'iIII', $bytes;
            substr($bytes, 0, 16 + $size) = '';
            printf $file "%s %.6f\n", $who{$wd}, $now;
        }
    }
    POSIX::_exit(0);
}

# A plain IMAP session that has looked into the folder.
sub imap {
    my ($user) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $env{IMAP}) or die "imap: $!\n";
    $s->autoflush(1);
    my $n = 0;
    my $ask = sub { my ($line) = @_; my $tag = 'b' . ++$n; print $s "$tag $line\r\n"; while (<$s>) { return if /^$tag OK/; die "$line: $_" if /^$tag / } };
    <$s>;
    $ask->("LOGIN $user secret");
    $ask->('SELECT INBOX');
    return ($s, $ask);
}

sub empty {
    for my $user (@_) {
        my ($s, $ask) = imap($user);
        # Refused where there is nothing.
        eval { $ask->('STORE 1:* +FLAGS (\Deleted)') };
        $ask->('EXPUNGE');
        close $s;
    }
}

sub roundtrips {
    for my $at_once (1, 50) {
        my $count = 200;
        my @users = map { "customer$_\@customers.test" } 1 .. $at_once;
        empty(@users);
        my $clock = clock("$stack/bench.delivered", @users);
        my $begin = time;
        my $pid = launch("$stack/bench.out", $binary, 'bench', '--count', $count, '--concurrency', $at_once,
            '--smtp', "127.0.0.1:$env{SUBMISSIONS}", '--imap', "127.0.0.1:$env{IMAPS}",
            '--user', 'customer{}@customers.test', '--password', 'secret', '--ca', $env{CA});
        my ($status, $cpu, $peak) = finish($pid);
        my $wall = time - $begin;
        kill 'TERM', $clock;
        waitpid $clock, 0;
        die "bench: replypath bench ended with $status:\n" . join("\n", lines("$stack/bench.out.err")) . "\n" if $status;
        my @lags = lags("$stack/bench.delivered", "$stack/bench.out");
        die "bench: $count trips, but " . @lags . " were noticed\n" unless @lags == $count;
        printf "round trips, %2d at once: %4d trips in %.1f s, CPU %.2f ms a trip, peak memory %.1f MB, lag p50 %.0f ms, p99 %.0f ms\n",
            $at_once, $count, $wall, 1000 * $cpu / $count, $peak, at(0.5, @lags), at(0.99, @lags);
    }
}

# Pairs deliveries with notices, in order for each user.
sub lags {
    my ($delivered, $out) = @_;
    my (%d, @lags);
    for (lines($delivered)) { my ($user, $t) = split; push @{ $d{$user} }, $t }
    my %seen;
    for (lines($out)) { push @{ $seen{$1} }, $2 if /^seen (\S+) ([0-9.]+)/ }
    for my $user (keys %seen) {
        my @s = sort { $a <=> $b } @{ $seen{$user} };
        push @lags, map { $s[$_] - $d{$user}[$_] } grep { defined $d{$user}[$_] } 0 .. $#s;
    }
    return @lags;
}

sub idle {
    my $user = 'customer1@customers.test';
    empty($user);
    my ($s) = imap($user);
    my $clock = clock("$stack/bench.delivered", $user);
    my $mx = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $env{PROVIDER_MX}) or die "smtp: $!\n";
    my $say = sub { my ($line, $code) = @_; print $mx "$line\r\n"; while (<$mx>) { die "$line: $_" unless /^$code/; return if /^$code / } };
    while (<$mx>) { last if /^220 / }
    $say->('EHLO bench.test', 250);
    my @seen;
    print $s "i0 IDLE\r\n";
    <$s> =~ /^\+/ or die "no IDLE\n";
    for my $n (1 .. 40) {
        $say->('MAIL FROM:<bench@elsewhere.test>', 250);
        $say->("RCPT TO:<$user>", 250);
        $say->('DATA', 354);
        $say->("From: bench\@elsewhere.test\r\nTo: $user\r\nSubject: $n\r\n\r\n$n\r\n.", 250);
        while (<$s>) { if (/EXISTS/) { push @seen, time; last } }
    }
    kill 'TERM', $clock;
    waitpid $clock, 0;
    my @d = map { (split)[1] } lines("$stack/bench.delivered");
    my @lags = map { $seen[$_] - $d[$_] } 0 .. $#seen;
    printf "a bare IDLE client:       %4d mails, lag p50 %.0f ms, p99 %.0f ms\n", scalar @lags, at(0.5, @lags), at(0.99, @lags);
    close $s;
    empty($user);
}

# A configuration with accounts and probes that write to an address which never answers.
sub site {
    my ($name, $accounts, $probes, $top) = @_;
    my $dir = "$stack/$name";
    system('rm', '-rf', $dir);
    mkdir $dir or die "$dir: $!\n";
    mkdir "$dir/probes" or die "$dir: $!\n";
    my ($port) = map { /^PORT=(\d+)/ ? $1 : () } `perl $env{SCRIPTS}/ports.pl PORT`;
    my $text = "[daemon]\nlisten = \"127.0.0.1:$port\"\nmax_probes = 20000\n";
    for my $n (1 .. $accounts) {
        my $login = "user = \"customer$n\@customers.test\"\npassword = \"secret\"\nca = \"$env{CA}\"\nhost = \"127.0.0.1\"\ntls = \"implicit\"\n";
        $text .= "[accounts.c$n]\naddress = \"customer$n\@customers.test\"\n[accounts.c$n.imap]\nport = $env{IMAPS}\n$login"
            . "[accounts.c$n.smtp]\nport = $env{SUBMISSIONS}\n$login";
    }
    spew("$dir/replypath.toml", $text);
    for my $n (1 .. $probes) {
        my $account = 1 + $n % $accounts;
        spew("$dir/probes/p$n.toml", "account = \"c$account\"\nonly = [\"send\", \"acknowledge\"]\n$top\n[email]\nto = \"sink\@desk.test\"\n"
                . "subject = \"Question $n\"\ntext = \"Where is my order? \${token}\"\n[limits]\nsend = \"30m\"\nacknowledge = \"12h\"\n");
    }
    return ($dir, $port);
}

sub waiting {
    my $count = $ENV{BENCH_WAITING} || 10_000;
    my ($dir) = site('bench-waiting', 50, $count, '');
    my $sent = sub { my $n = () = join("\n", lines("$stack/provider/log/mail.log")) =~ /submissions\S* \S+ client=\S+, sasl_method/g; $n };
    my $before = $sent->();
    my $begin = time;
    my $pid = launch("$stack/bench.out", $binary, '--config', $dir, 'run', '--all');
    my $got = 0;
    while (($got = $sent->() - $before) < $count) {
        die "bench: run ended after $got mails:\n" . join("\n", (lines("$stack/bench.out.err"))[-20 .. -1]) . "\n" if waitpid($pid, POSIX::WNOHANG()) == $pid;
        die "bench: only $got of $count mails after 30 minutes\n" if time - $begin > 1800;
        sleep 1;
    }
    # The last answers of the provider are still being written down.
    sleep 5;
    my ($peak, $now) = memory($pid);
    printf "waiting: %d runs on 50 mailboxes, all sent after %.0f s: memory %.0f MB now, %.0f MB at most\n", $count, time - $begin - 5, $now, $peak;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    system('rm', '-rf', $dir);
}

sub start {
    my ($dir, $port) = site('bench-start', 50, 1000, 'every = "1d"');
    my @took;
    for (1 .. 5) {
        my $begin = time;
        my $pid = launch("$stack/bench.out", $binary, '--config', $dir, 'serve');
        my $answered;
        until ($answered) {
            die "bench: serve ended:\n" . join("\n", lines("$stack/bench.out.err")) . "\n" if waitpid($pid, POSIX::WNOHANG()) == $pid;
            die "bench: no /metrics after a minute\n" if time - $begin > 60;
            if (my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)) {
                print $s "GET /metrics HTTP/1.0\r\n\r\n";
                my $text = join '', <$s>;
                $answered = $text =~ m{^HTTP/1\.\d 200};
            }
            sleep 0.005 unless $answered;
        }
        push @took, time - $begin;
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    printf "start with 1000 probes: /metrics answers after %.0f ms (median of 5, %.0f..%.0f)\n", at(0.5, @took), at(0, @took), at(1, @took);
    system('rm', '-rf', $dir);
}

# Memory of a process and all its children in MB, shared pages divided among those who share them.
sub tree {
    my ($root) = @_;
    my (%children, $sum);
    for my $stat (glob '/proc/[0-9]*/stat') {
        open(my $f, '<', $stat) or next;
        my ($pid, $parent) = (<$f> // '') =~ /^(\d+) \(.*\) \S (\d+)/ or next;
        push @{ $children{$parent} }, $pid;
    }
    for (my @pids = ($root); @pids;) {
        my $pid = shift @pids;
        push @pids, @{ $children{$pid} // [] };
        open(my $f, '<', "/proc/$pid/smaps_rollup") or next;
        for (<$f>) { $sum += $1 / 1024 if /^Pss:\s+(\d+)/ }
    }
    return $sum // 0;
}

# Where the kernel counts the CPU of a group of processes: the folder to make and how to read it in seconds.
sub group {
    return ('/sys/fs/cgroup/cpuacct', sub { (lines("$_[0]/cpuacct.usage"))[0] / 1e9 }) if -w '/sys/fs/cgroup/cpuacct';
    return ('/sys/fs/cgroup', sub { (map { /^usage_usec (\d+)/ ? $1 / 1e6 : () } lines("$_[0]/cpu.stat"))[0] }) if -w '/sys/fs/cgroup/cgroup.procs';
    die "bench: the figures of forms and chats need root and control groups\n";
}

# Not left behind when a figure cannot be had.
my $sandbox;
END { kill 'TERM', $sandbox if $sandbox }

# The sandbox as a process of its own, with a configuration for it in that folder.
sub open_sandbox {
    my ($dir) = @_;
    $sandbox = launch("$stack/bench.desk", $binary, 'sandbox', '--init', $dir);
    my $begin = time;
    until (grep { /Ctrl-C/ } map { lines($_) } glob("$stack/bench.desk*")) {
        die "bench: the sandbox did not start\n" if time - $begin > 30 || waitpid($sandbox, POSIX::WNOHANG()) == $sandbox;
        sleep 0.05;
    }
}

sub close_sandbox {
    kill 'TERM', $sandbox;
    waitpid $sandbox, 0;
    $sandbox = 0;
}

# Journeys through the sandbox's form and chat, without a browser and in Chromium: the desk runs in a process of its own.
sub ways {
    my $desk = "$stack/bench-ways";
    system('rm', '-rf', $desk, "$stack/bench.desk", "$stack/bench.desk.err");
    open_sandbox($desk);
    my ($web) = map { m{^page = "(\S+?)/contact"} ? $1 : () } lines("$desk/probes/contact-form.toml");
    my $patient = join '', map { "$_ = \"15m\"\n" } qw(send accept land queue format acknowledge reply return follow_up clean_up);
    my $common = "desk = \"sandbox\"\naccount = \"alice\"\nsettle = \"1s\"\nclean_up = \"close\"\n";
    my $form = "[form]\npage = \"$web/contact\"\nsubject = \"In stock? \${token}\"\ntext = \"Is it in stock? \${token}\"\n"
        . "fields = [{ type = \"select\", choose = \"Sales\" }]\ndwell = \"2500ms\"\n";
    my $chat = "[chat]\npage = \"$web/shop/chat\"\ntext = \"Hello \${token}\"\nhand_over = \"Can I talk to a person?\"\nreload = true\n";
    my $bubble = "[chat]\npage = \"$web/shop/chat\"\ntext = \"Hello \${token}\"\nhand_over = \"Can I talk to a person?\"\nreload = true\nbrowser = true\nlimit = \"10m\"\n"
        . "leave = [{ click = \"chat-widget >>> button[aria-label='End the chat']\" }]\n"
        . join('', map { "[[chat.open]]\n$_\n" } 'frame = "iframe.chat"', 'click = "chat-widget >>> button.bubble"',
            'wait_for = "chat-widget >>> form:not([hidden]) textarea"',
            map { "write = \"\${" . ($_ eq 'name' ? 'customer' : 'address') . "}\"\ninto = \"chat-widget >>> form:not([hidden]) input[name=$_]\"" } qw(name email))
        . "[[chat.say]]\nwrite = \"\${line}\"\ninto = \"chat-widget >>> form:not([hidden]) textarea\"\n"
        . "[[chat.say]]\nclick = \"chat-widget >>> form:not([hidden]) button[type=submit]\"\n"
        . "[chat.read]\nframe = \"iframe.chat\"\nline = \"chat-widget >>> li\"\nagent = \"chat-widget >>> li[data-from=agent]\"\n"
        . "bot = \"chat-widget >>> li:is([data-from=bot], [data-from=system])\"\n";
    my @sets = (
        ['form journeys', 200, $form], ['form journeys in Chromium', 5, $form . "browser = true\nlimit = \"10m\"\n"],
        ['chat journeys', 200, $chat], ['chat journeys in Chromium', 5, $bubble], ['chats at once on one core', 1000, $chat, 'taskset', '-c', '0'],
    );
    my ($base, $read) = group();
    for (@sets) {
        my ($name, $count, $way, @pinned) = @$_;
        my $dir = "$stack/bench-way";
        system('rm', '-rf', $dir);
        system('cp', '-r', $desk, $dir);
        unlink glob("$dir/probes/*.toml"), glob("$dir/state/*");
        my $top = join "\n", lines("$dir/replypath.toml");
        spew("$dir/replypath.toml", $top =~ s/^\[daemon\]\n/[daemon]\nmax_probes = 20000\n/mr);
        spew("$dir/probes/p$_.toml", "$common$way\n[limits]\n$patient") for 1 .. $count;
        my $group = "$base/replypath-bench-$$";
        mkdir $group or die "$group: $!\n";
        my $started = time;
        my $pid = launch("$stack/bench.out", 'sh', '-c', 'echo $$ > "$0"/cgroup.procs; exec "$@"', $group, @pinned, $binary, '--config', $dir, 'run', '--all',
            '--report', 'json');
        my ($peak, $browsers) = (0, 0);
        while (waitpid($pid, POSIX::WNOHANG()) == 0) {
            my ($high) = memory($pid);
            $peak = $high if $high && $high > $peak;
            if ($name =~ /Chromium/) { my $all = tree($pid); $browsers = $all if $all > $browsers }
            sleep 0.1;
        }
        my $wall = time - $started;
        my $cpu = $read->($group);
        sleep 0.2 until rmdir $group;
        my $report = decode_json(join '', lines("$stack/bench.out"));
        my @bad = grep { $_->{verdict} ne 'pass' } @{ $report->{runs} };
        die "bench: " . @bad . " of $count $name did not pass: $bad[0]{summary}\n" if @bad || @{ $report->{runs} } != $count;
        my @lags = map { $_->{found} =~ /^pushed ([0-9.]+)(µs|ms|s) after/ ? $1 * { 'µs' => 1e-6, ms => 1e-3, s => 1 }->{$2} : () }
            grep { $_->{check} eq 'pushed' } map { @{ $_->{checks} } } map { @{ $_->{stages} } } @{ $report->{runs} };
        printf "%-26s %4d in %.1f s, CPU %.1f ms each, peak memory %.1f MB%s%s\n", "$name:", $count, $wall, 1000 * $cpu / $count, $peak,
            $browsers ? sprintf(' (%.0f MB with its browser)', $browsers) : '',
            @lags && $name !~ /Chromium/ ? sprintf(', push to notice p50 %.0f ms, p99 %.0f ms', at(0.5, @lags), at(0.99, @lags)) : '';
        system('rm', '-rf', $dir);
    }
    close_sandbox();
    system('rm', '-rf', $desk);
}

# CPU seconds of all threads of a process so far, to the nanosecond.
sub spent {
    my ($pid) = @_;
    my $sum = 0;
    for (glob "/proc/$pid/task/*/schedstat") { my ($line) = eval { lines($_) }; $sum += (split ' ', $line)[0] / 1e9 if $line }
    return $sum;
}

# One answer over a connection of its own: seconds, status, body.
sub ask {
    my ($port, $path) = @_;
    my $begin = time;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return;
    print $s "GET $path HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
    my $text = do { local $/; <$s> } // '';
    my $took = time - $begin;
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    return ($took, ($head // '') =~ m{^HTTP/1\.\d (\d+)} ? $1 : 0, $body // '');
}

# The status page and /metrics over stores of several sizes. The runs in them are copies of two that are made in the sandbox first.
sub page {
    my $desk = "$stack/bench-desk";
    system('rm', '-rf', $desk, "$stack/bench.desk", "$stack/bench.desk.err");
    open_sandbox($desk);
    my $top = join '', map { "$_\n" } lines("$desk/replypath.toml");
    my $mail = join "\n", 'desk = "sandbox"', 'account = "alice"', 'settle = "1s"', 'clean_up = "close"', 'every = "12h"', '[email]',
        'to = "billing@desk.test"', 'subject = "Invoice ${token}"', 'text = "Where is my invoice? ${token}"', '';
    unlink glob("$desk/probes/*.toml");
    spew("$desk/probes/passed.toml", $mail);
    spew("$desk/probes/failed.toml", "$mail\[expect]\nqueue = \"No such queue\"\n[limits]\nqueue = \"1s\"\n");
    system("$binary --config $desk run --all >$stack/bench.out 2>$stack/bench.out.err");
    close_sandbox();
    for (split /,/, $ENV{BENCH_PAGE} || '50:5000,200:20000,2000:200000,1000:1000000') { grown($desk, $top, $mail, split /:/) }
    system('rm', '-rf', $desk) unless $ENV{REPLYPATH_KEEP};
}

# One size: 20 probes behind each gateway, first all well, then two gateways broken.
sub grown {
    my ($desk, $top, $mail, $probes, $runs) = @_;
    my $dir = "$stack/bench-page";
    system('rm', '-rf', $dir);
    mkdir $_ or die "$_: $!\n" for $dir, "$dir/probes";
    my ($port) = map { /^PORT=(\d+)/ ? $1 : () } `perl $env{SCRIPTS}/ports.pl PORT`;
    # Nothing is removed because of its age while it is measured.
    spew("$dir/replypath.toml", $top =~ s/^listen = .*/listen = "127.0.0.1:$port"\nmax_probes = 20000/mr =~ s/^keep_(\w+) = .*/keep_$1 = "90d"/mgr);
    spew(sprintf("$dir/probes/path-%04d.toml", $_), sprintf("gateway = \"gateway-%03d\"\n%s", $_ / 20, $mail)) for 0 .. $probes - 1;
    my @fill = ($ENV{BENCH_FILL} || (qw(cargo bench --quiet --locked --bench fill --manifest-path), "$env{SCRIPTS}/../../Cargo.toml", '--'), $dir, "$desk/state");
    my $begin = time;
    system(@fill, $runs, 70 * 3600, 0) == 0 or die "bench: the store cannot be filled\n";
    printf "%d probes, %d runs: filled in %.0f s, %.0f MB\n", $probes, $runs, time - $begin, (-s "$dir/state/replypath.db") / 1e6;
    for my $broken (0, 2) {
        system(@fill, 3 * $probes, 30, $broken) == 0 or die "bench: the store cannot be filled\n" if $broken;
        served($dir, $port, $probes, $broken);
        command($dir, $_) for 'incidents', 'report --since 30d';
    }
    system('rm', '-rf', $dir) unless $ENV{REPLYPATH_KEEP};
}

# The daemon from its start on, and what it answers.
sub served {
    my ($dir, $port, $probes, $broken) = @_;
    my $name = $broken ? "  $broken gateways broken" : '  all well';
    my $begin = time;
    my $pid = launch("$stack/bench.out", $binary, '--config', $dir, 'serve');
    my $ready = sub { my (undef, $status) = ask($port, '/readyz'); ($status // 0) == 200 };
    until ($ready->()) {
        die "bench: serve ended:\n" . join("\n", lines("$stack/bench.out.err")) . "\n" if waitpid($pid, POSIX::WNOHANG()) == $pid;
        die "bench: not ready after a minute\n" if time - $begin > 60;
        sleep 0.005;
    }
    my ($took, $start) = (time - $begin, spent($pid));
    # Until it rests: then the strips are read.
    for (my $last = -1; spent($pid) - $last > 0.05;) { $last = spent($pid); sleep 2 }
    my ($peak, $now) = memory($pid);
    my $after = spent($pid) - $start;
    my $rest = spent($pid);
    sleep 10;
    $rest = (spent($pid) - $rest) / 10;
    printf "$name: ready after %.0f ms, CPU %.0f ms; CPU of what follows %.0f ms, then %.1f ms a second; memory %.1f MB (%.1f kB a probe), %.1f MB at most\n",
        1000 * $took, 1000 * $start, 1000 * $after, 1000 * $rest, $now, 1024 * $now / $probes, $peak;
    my (undef, undef, $listed) = ask($port, '/api/v1/runs?limit=1');
    my $run = decode_json($listed)->{runs}[0]{run};
    for my $path ('/', '/?show=recent', '/probes/path-0000', "/runs/$run", '/status.txt', '/api/v1/probes', '/metrics') {
        my ($first) = ask($port, $path);
        my ($before, @took, $body) = spent($pid);
        for (1 .. 9) { (my $t, undef, $body) = ask($port, $path); push @took, $t }
        my $cpu = (spent($pid) - $before) / 9;
        my $series = () = $path eq '/metrics' ? $body =~ /^[^#]/mg : ();
        printf "$name: %-20s %7.1f kB, CPU %6.2f ms, answered in %6.1f ms (best of 9; median %.1f, first %.1f)%s\n", $path =~ s{/runs/.*}{/runs/…}r,
            length($body) / 1000, 1000 * $cpu, at(0, @took), at(0.5, @took), 1000 * $first,
            $series ? sprintf('; %d series, CPU %.2f µs each', $series, 1e6 * $cpu / $series) : '';
    }
    ($peak, $now) = memory($pid);
    printf "$name: memory after these %.1f MB (%.1f kB a probe), %.1f MB at most\n", $now, 1024 * $now / $probes, $peak;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

# A command on the same store.
sub command {
    my ($dir, $command) = @_;
    my $begin = time;
    my ($status, $cpu, $peak) = finish(launch("$stack/bench.out", $binary, '--config', $dir, split ' ', $command));
    die "bench: $command ended with $status\n" if $status;
    printf "  %-20s CPU %.2f s, %.2f s, %.0f MB at most\n", "$command:", $cpu, time - $begin, $peak;
}
