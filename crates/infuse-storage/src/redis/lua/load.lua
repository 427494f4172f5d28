-- Reads a circuit out of its five keys. What is rubbish is deleted.

-- A circuit that was never changed.
local function new_circuit(first_key)
  return {
    keys = {
      state = KEYS[first_key], fail_counter = KEYS[first_key + 1],
      opened_at = KEYS[first_key + 2], record = KEYS[first_key + 3],
      shares = KEYS[first_key + 4],
    },
    generation = 0, state = 'closed', cause = 'adopted', by = false,
    opened_at = now, open_until = now, changed_at = now, written_at = now,
    successes = 0, leases = {}, max_calls = 1,
    shares = {}, first_failure = false, clears = 0, rest_until = now,
    suspected = false, last_raised = 0, thresholds = false, commands = {},
    failed_trials = 0, ramp = false, held_until = 0, override = false,
    buckets = {}, reporters = {}, opening = false, note = false,
    seen_opened_at = false, awaits_opened_at = false, lifted = false,
    -- What the plain keys hold, and what is to be written to them.
    plain = {}, to_write = {},
    -- Which keys held rubbish, and were deleted.
    rubbish = {}, found_rubbish = false,
    -- Whether there is a record, whether it is to be written, whether others need to know.
    stored = false, dirty = false, pushed = false,
    -- Whether it was opened by this verb.
    opens = false,
  }
end

local function discard(c, name)
  redis.call('DEL', c.keys[name])
  c.rubbish[name] = true
  c.found_rubbish = true
end

-- Reads a key. One of another type is deleted; any other error fails the script.
local function read(c, name, command, ...)
  local answer = redis.pcall(command, c.keys[name], ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if answer.err:find('WRONGTYPE', 1, true) then
    discard(c, name)
  else
    redis.call(command, c.keys[name], ...)
  end
end

local function read_plain(c, name, check)
  local found = read(c, name, 'GET')
  if not found then return end
  c.plain[name] = check(found)
  if not c.plain[name] then discard(c, name) end
end

-- What scripts of the version before have left as it was is of another generation.
local function heed_newer(c, values)
  if values.newer_of == c.generation then
    for _, field in ipairs({
      'failed_trials', 'ramp', 'held_until', 'buckets', 'reporters', 'opening', 'note',
    }) do
      if values[field] ~= nil then c[field] = values[field] end
    end
    if values.newer_cause and c.cause == 'failures' then c.cause = values.newer_cause end
    if c.suspected then c.suspected.min_reporters = values.suspect_reporters or 1 end
  elseif c.suspected then
    c.suspected.min_reporters = 1
  end
  if values.limits and c.thresholds and first_four(values.limits) == c.thresholds then
    c.thresholds = values.limits
  end
  c.override = values.override or false
  if c.state == 'closed' then
    c.opening = false
  elseif not c.opening then
    -- As far as it says.
    local opens = c.state == 'open'
    c.opening = new_opening(opens and c.cause or 'adopted', opens and c.by)
    c.opening.at = c.opened_at
  end
end

local function read_record(c)
  local found = read(c, 'record', 'HMGET', unpack(FIELDS))
  if not found then return end
  local values, any, all = {}, false, true
  for at, field in ipairs(FIELDS) do
    local value
    if found[at] then
      any = true
      value = READ[field](found[at])
    end
    if value == nil and (found[at] or not NEWER[field]) then all = false end
    values[field] = value
  end
  if all then
    for at = 1, OLDER do c[FIELDS[at]] = values[FIELDS[at]] end
    heed_newer(c, values)
    c.stored = true
  elseif any then
    discard(c, 'record')
  end
end

local function read_shares(c)
  local found = read(c, 'shares', 'HGETALL')
  c.stored_shares = {}
  if not found then return end
  for at = 1, #found, 2 do
    local who, share = process(found[at]), count(found[at + 1])
    if not (who and share) then
      discard(c, 'shares')
      c.stored_shares = {}
      return
    end
    c.stored_shares[who] = share
  end
end

-- A server's clock may go back, when it is set or when a replica takes over. What was to end then
-- ends as much earlier: else a circuit could be open for hours.
local function heed_clock(c)
  local ahead = c.written_at - now
  if ahead <= 0 then return end
  local function earlier(time) return math.max(0, time - ahead) end
  for _, field in ipairs({ 'opened_at', 'open_until', 'changed_at', 'rest_until', 'held_until' }) do
    c[field] = earlier(c[field])
  end
  if c.first_failure then c.first_failure = earlier(c.first_failure) end
  if c.suspected then c.suspected.at = earlier(c.suspected.at) end
  for _, lease in ipairs(c.leases) do lease.ends = earlier(lease.ends) end
  if c.opening then c.opening.at = earlier(c.opening.at) end
  if c.ramp then c.ramp.ends = earlier(c.ramp.ends) end
  if c.override and c.override.ends then c.override.ends = earlier(c.override.ends) end
  for _, it in ipairs(c.buckets) do it.start, it.word = earlier(it.start), nil end
  for _, it in ipairs(c.reporters) do
    it.failures, it.slow = it.failures and earlier(it.failures), it.slow and earlier(it.slow)
    it.word = nil
  end
  c.dirty = true
end

local function load(first_key)
  local c = new_circuit(first_key)
  read_plain(c, 'state', state)
  read_plain(c, 'fail_counter', count)
  read_plain(c, 'opened_at', time)
  read_record(c)
  read_shares(c)
  if c.stored then
    heed_clock(c)
    for who, share in pairs(c.stored_shares) do c.shares[who] = share end
    if c.rubbish.shares and not c.suspected then
      c.first_failure = false
      c.dirty = true
    end
  end
  c.theirs = math.max(0, (c.plain.fail_counter or 0) - (c.lifted and 1 or 0))
  return c
end
