-- Writes what a verb has changed, and sees to it that circuits are kept.

local KEPT = 86400000 -- milliseconds: a day
local REFRESHED_BELOW = 82800000 -- milliseconds: 23 hours

local function expire(c)
  for _, key in pairs(c.keys) do redis.call('PEXPIRE', key, KEPT) end
end

local function write_plain(c, name, value)
  if value and value ~= c.plain[name] then redis.call('SET', c.keys[name], text(value)) end
end

-- `unpack` takes a few thousand values at most.
local function in_parts(values, act)
  for first = 1, #values, 1000 do
    act(unpack(values, first, math.min(first + 999, #values)))
  end
end

local function write_shares(c)
  local changed, gone = {}, {}
  for who, share in pairs(c.shares) do
    if c.stored_shares[who] ~= share then
      changed[#changed + 1] = who
      changed[#changed + 1] = digits(share)
    end
  end
  for who in pairs(c.stored_shares) do
    if not c.shares[who] then gone[#gone + 1] = who end
  end
  if not next(c.shares) and #gone > 0 then
    redis.call('DEL', c.keys.shares)
  elseif #gone > 0 then
    in_parts(gone, function(...) redis.call('HDEL', c.keys.shares, ...) end)
  end
  in_parts(changed, function(...) redis.call('HSET', c.keys.shares, ...) end)
end

-- What the newer fields hold beyond what is at hand.
local function prepare_newer(c)
  c.newer_of = c.generation
  c.newer_cause = NEWER_CAUSES[c.cause] and c.cause
  c.limits = c.thresholds ~= first_four(c.thresholds) and c.thresholds
  c.suspect_reporters = c.suspected and c.suspected.min_reporters or 0
end

local function write_record(c)
  prepare_newer(c)
  local words = {}
  for at, field in ipairs(FIELDS) do
    local value = c[field]
    words[at * 2 - 1] = field
    words[at * 2] = value and WRITE[field](value) or ''
  end
  redis.call('HSET', c.keys.record, unpack(words))
end

-- Whether it says no more than no record would.
local function is_blank(c)
  return c.generation == 0 and not next(c.shares) and c.clears == 0 and c.held_until == 0
    and not next(c.buckets) and not next(c.reporters)
end

local function save(c)
  if is_blank(c) then
    if c.stored then
      redis.call('DEL', c.keys.record, c.keys.shares)
      local counter = c.lifted and c.theirs or c.to_write.fail_counter
      write_plain(c, 'fail_counter', counter)
      expire(c)
    end
  elseif c.dirty then
    if not c.stored and next(c.stored_shares) then
      -- What is left of a record that is gone.
      redis.call('DEL', c.keys.shares)
      c.stored_shares = {}
    end
    -- In whole seconds, rounded up, so that nobody's trial comes too early by it.
    if c.opens then c.to_write.opened_at = math.ceil(c.opened_at / 1000000) end
    c.seen_opened_at = c.to_write.opened_at or c.seen_opened_at
    c.written_at = now
    write_record(c)
    write_shares(c)
    write_plain(c, 'state', c.state)
    write_plain(c, 'fail_counter', c.to_write.fail_counter)
    write_plain(c, 'opened_at', c.to_write.opened_at)
    expire(c)
  elseif c.stored and redis.call('PTTL', c.keys.record) < REFRESHED_BELOW then
    expire(c)
  end
end
