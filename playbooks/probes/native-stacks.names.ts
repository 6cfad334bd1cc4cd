/**
 * A C function's name without symbol version (`recv@@GLIBC_2.2.5`) and without the suffixes that compilers give to copies of
 * a function (`f.lto_priv.0`, `f.constprop.1`).
 */
export const plainName = (name: string): string =>
  name.replace(/@.*$/, '').replace(/(?:\.(?:lto_priv|constprop|isra|part|cold|llvm)(?:\.\d+)*)+$/, '');
