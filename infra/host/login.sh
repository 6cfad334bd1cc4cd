#!/bin/sh
# Login shell and forced command of the account: whatever is asked for, this is what runs.
exec /usr/bin/env -i PATH=/usr/bin:/bin /usr/bin/sudo -n @PREFIX@/runner
