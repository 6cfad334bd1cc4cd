#!/usr/bin/perl
use strict;
use warnings;

# A job waits for a step whose name is not in the plan: the round over the plan never ends.
my @plan = map { { name => $_, done => 0 } } qw(fetch unpack check load);

sub next_step {
    my ($wanted) = @_;
    my $at = 0;
    until ($plan[$at]{name} eq $wanted) {
        $at = ($at + 1) % @plan;
    }
    return $plan[$at];
}

$| = 1;
print "standing $$\n";
next_step('verify');
