"""Results of the replay and published ones, each with its counterpart or without one."""
