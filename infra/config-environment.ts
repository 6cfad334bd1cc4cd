/** What a program that we start for the site (ssh, its ProxyCommand, an inventory command) needs of our environment. */
const PASSED_ON =
  /^(HOME|PATH|USER|LOGNAME|SHELL|TZ|TMPDIR|LANG|XDG_[A-Z_]+|SSH_AUTH_SOCK|SSH_SK_PROVIDER|KRB5[A-Z0-9_]*)$/;

/**
 * The environment for programs of the site: paths, agent and Kerberos, none of the tokens that ours holds, and what `more` names.
 * Messages are in English (LC_ALL), and nothing asks on a screen: ssh(1), SSH_ASKPASS_REQUIRE.
 */
export const environmentForPrograms = (
  more: readonly string[] = [],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> => ({
  ...Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value !== undefined && (PASSED_ON.test(name) || more.includes(name)) ? [[name, value]] : [],
    ),
  ),
  LC_ALL: 'C',
  SSH_ASKPASS_REQUIRE: 'never',
});
