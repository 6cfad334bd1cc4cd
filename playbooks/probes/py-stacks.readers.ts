/** The scripts that find a Python in a process's memory and read the stacks of its threads; several probes carry them. */
export const STACK_READERS = [
  'py_read_memory.py',
  'py_read_images.py',
  'regular_files.py',
  'py_read_elf.py',
  'py_read_offsets.py',
  'py_read_layout.py',
  'py_read_runtime.py',
  'py_read_objects.py',
  'py_read_lines.py',
  'py_read_codes.py',
  'py_read_stacks.py',
  'py_read_threads.py',
  'py_read_dicts.py',
  'py_read_source.py',
  'py_read_report.py',
] as const;

/** And those that read the variables of their frames. */
export const VARIABLE_READERS = [
  ...STACK_READERS,
  'py_read_signals.py',
  'py_read_names.py',
  'py_read_blocks.py',
  'py_read_locks.py',
  'py_read_cells.py',
  'py_read_members.py',
  'py_read_values.py',
  'py_read_patterns.py',
  'py_read_series.py',
  'py_read_slots.py',
  'py_read_motion.py',
  'py_read_seen.py',
  'py_read_watch.py',
] as const;
