/** The scripts that find the cores of a process's family; several probes carry them. */
export const CORE_FINDERS = [
  'core_search.py',
  'core_folders.py',
  'core_family.py',
  'core_elf.py',
  'regular_files.py',
] as const;
