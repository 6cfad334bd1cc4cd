#!/bin/sh
# Login shell and forced command of the account: whatever is asked for, this is what runs.
case $SSH_ORIGINAL_COMMAND in
  # They would wait for an answer that never comes.
  *sftp* | scp\ * | rsync\ *)
    echo 'straceback: this account takes and gives no files' >&2
    exit 64
    ;;
esac
exec /usr/bin/env -i PATH=/usr/bin:/bin /usr/bin/sudo -n @PREFIX@/runner
