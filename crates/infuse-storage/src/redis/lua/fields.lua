-- The fields of the hash `record`, and how each is read and written. All are written together.

local FIELDS, READ, WRITE = {}, {}, {}
for _, field in ipairs({
  { 'generation', generation },
  { 'state', state },
  { 'cause', cause },
  { 'by', optional(process) },
  { 'opened_at', time },
  { 'open_until', time },
  { 'changed_at', time },
  -- When the record was written, so that a clock that has gone back is noticed.
  { 'written_at', time },
  { 'successes', count },
  { 'leases', leases, leases_text },
  -- How many leases may run, by the last who asked for one.
  { 'max_calls', count },
  { 'first_failure', optional(time) },
  -- How often the shares were dropped in this generation because a call succeeded.
  { 'clears', generation },
  { 'rest_until', time },
  { 'suspected', optional(suspicion), suspicion_text },
  -- The last suspicion's id, so that the next one has another.
  { 'last_raised', time },
  { 'thresholds', optional(thresholds) },
  -- The last commands, oldest first.
  { 'commands', tokens, tokens_text },
  -- The last that was seen in the key `opened_at`. (Of the key `state` it is `state`.)
  { 'seen_opened_at', optional(time) },
  -- A stranger has opened, and its `opened_at` is still to follow.
  { 'awaits_opened_at', flag },
  -- The key `fail_counter` is one more than the strangers' failures, for a suspicion.
  { 'lifted', flag },
}) do
  FIELDS[#FIELDS + 1] = field[1]
  READ[field[1]] = field[2]
  WRITE[field[1]] = field[3] or text
end
