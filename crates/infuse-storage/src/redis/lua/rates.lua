-- Calls, added up over all processes and judged.

-- How many buckets a window has at least, if there are so many calls.
local PARTS = 10

-- Counts calls, in buckets that suit the window.
local function add_calls(c, limits, told)
  local newest = c.buckets[#c.buckets]
  local span = newest and (limits.over_time and since(newest.start) or newest.calls)
  if not newest or span * PARTS >= limits.window then
    if #c.buckets == MOST_BUCKETS then table.remove(c.buckets, 1) end
    newest = { start = now, calls = 0, failures = 0, slow = 0 }
    c.buckets[#c.buckets + 1] = newest
  end
  newest.calls = math.min(newest.calls + told.calls, MOST_COUNT)
  newest.failures = math.min(newest.failures + told.failures, MOST_COUNT)
  newest.slow = math.min(newest.slow + told.slow, MOST_COUNT)
  newest.word, c.dirty = nil, true
end

-- The calls in a window, and since when they were told of.
local function look_back(c, limits)
  local calls, failed, slow, begin = 0, 0, 0, 0
  for at = #c.buckets, 1, -1 do
    local it = c.buckets[at]
    local span = limits.over_time and since(it.start) or calls
    if span >= limits.window then
      begin = at < #c.buckets and c.buckets[at + 1].start or now
      break
    end
    calls, failed, slow = calls + it.calls, failed + it.failures, slow + it.slow
  end
  return { calls = calls, failures = failed, slow = slow }, begin
end

-- From when on one who has seen trouble has seen it in the window.
local function window_begins(c, limits)
  if limits.over_time then return now >= limits.window and now - limits.window + 1 or 0 end
  local _, begin = look_back(c, limits)
  return begin
end

local function note_reporter(c, who, trouble)
  local reporter = { who = who, failures = false, slow = false }
  for at, it in ipairs(c.reporters) do
    if it.who == who then reporter = table.remove(c.reporters, at) break end
  end
  reporter[trouble], reporter.word = now, nil
  if #c.reporters == MOST_REPORTERS then table.remove(c.reporters, 1) end
  c.reporters[#c.reporters + 1] = reporter
  c.dirty = true
end

-- Whether so many processes have seen trouble as these thresholds ask for, `besides` among them.
-- Strangers are one, and as many as are remembered stand for any number.
local function has_reporters(c, limits, trouble, besides)
  if limits.min_reporters <= 1 then return true end
  local seen, number = {}, c.theirs > 0 and 1 or 0
  local function see(who)
    if not seen[who] then seen[who], number = true, number + 1 end
  end
  for who in pairs(c.shares) do see(who) end
  if besides then see(besides) end
  if limits.window then
    local begin, told = window_begins(c, limits), 0
    for _, it in ipairs(c.reporters) do
      if it[trouble] and it[trouble] >= begin then
        told = told + 1
        see(it.who)
      end
    end
    if told == MOST_REPORTERS then return true end
  end
  return number >= limits.min_reporters
end

-- Divided, and not multiplied: so 3 of 10 are exactly the 0.3 that was written.
local function is_reached(share, part, calls)
  return share and part > 0 and part / calls >= share
end

-- Why so many calls open a circuit, and by what trouble, if they do.
local function judge(limits, sum)
  if sum.calls < math.max(1, limits.minimum) then return nil end
  if is_reached(limits.failure_rate, sum.failures, sum.calls) then
    return 'failure-rate', 'failures'
  elseif is_reached(limits.slow_rate, sum.slow, sum.calls) then
    return 'slow-call-rate', 'slow'
  end
end
