-- The fields of the hash `record`, and how each is read and written. All are written together.

local FIELDS, READ, WRITE = {}, {}, {}
-- Fields that records of the version before do not have.
local NEWER = {}

local function has_fields(all)
  for _, field in ipairs(all) do
    FIELDS[#FIELDS + 1] = field[1]
    READ[field[1]] = field[2]
    WRITE[field[1]] = field[3] or text
  end
end

has_fields({
  { 'generation', generation },
  { 'state', state },
  { 'cause', cause, function(cause) return NEWER_CAUSES[cause] and 'failures' or cause end },
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
  { 'thresholds', optional(thresholds), first_four },
  -- The last commands, oldest first.
  { 'commands', tokens, tokens_text },
  -- The last that was seen in the key `opened_at`. (Of the key `state` it is `state`.)
  { 'seen_opened_at', optional(time) },
  -- A stranger has opened, and its `opened_at` is still to follow.
  { 'awaits_opened_at', flag },
  -- The key `fail_counter` is one more than the strangers' failures, for a suspicion.
  { 'lifted', flag },
})

-- What follows is newer. Scripts of the version before leave it as it is, and may make another
-- generation meanwhile.
local OLDER = #FIELDS
has_fields({
  -- The generation that the rest is of.
  { 'newer_of', generation },
  -- A cause of which the version before does not know; `cause` is one of which it does.
  { 'newer_cause', optional(newer_cause) },
  -- The thresholds, if they are more than four.
  { 'limits', optional(thresholds) },
  { 'failed_trials', count },
  { 'ramp', optional(ramp), ramp_text },
  -- Until when the service asked to be left alone; 0 if it did not.
  { 'held_until', time },
  { 'buckets', buckets, buckets_text },
  { 'reporters', reporters, reporters_text },
  -- How many processes must have a share for the suspicion to stand.
  { 'suspect_reporters', count },
  -- Of whatever generation.
  { 'override', optional(override), override_text },
  { 'opening', optional(opening), opening_text },
  -- Of whoever commanded the circuit into its state.
  { 'note', optional(note), note_text },
})
for at = OLDER + 1, #FIELDS do NEWER[FIELDS[at]] = true end
