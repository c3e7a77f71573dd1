#!/usr/bin/perl
# An app that no buildpack knows: the Procfile alone says how to run it. Perl's core modules only.
use strict;
use warnings;
use IO::Socket::INET;

my $server = IO::Socket::INET->new(
    LocalPort => $ENV{PORT} // 5000,
    Listen    => 128,
    ReuseAddr => 1,
) or die "cannot listen: $!\n";
$SIG{TERM} = sub { exit 0 };
my $body = "Hello from procfile-only\n";
while (1) {
    my $client = $server->accept or next;
    while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ", length $body,
        "\r\nConnection: close\r\n\r\n", $body;
    close $client;
}
