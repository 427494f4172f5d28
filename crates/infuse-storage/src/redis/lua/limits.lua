-- The thresholds of a process: failures that open, open time, successes that close, trials at once;
-- then, unless it is 1, how many processes must have seen failures; and rates, if there are any: the
-- window (in microseconds, or calls), how many calls there must be in it, and the shares of failures
-- and of slow calls that open. "5:15000000:1:1:2:t10000000:20:5e-1:-", say.

-- A share, in digits that say exactly which.
local function rate(text)
  local value = text:find('^%d[%d.]*e%-?%d+$') and tonumber(text)
  return value and value > 0 and value <= 1 and value or nil
end

local function read_rates(limits, text)
  local unit, window, minimum, failures, slow =
    text:match('^:([tc])(%d+):(%d+):([^:]+):([^:]+)$')
  limits.over_time = unit == 't'
  limits.window = window and (limits.over_time and time or count)(window)
  limits.minimum = minimum and count(minimum)
  limits.failure_rate = failures and failures ~= '-' and rate(failures)
  limits.slow_rate = slow and slow ~= '-' and rate(slow)
  return limits.window and limits.minimum and limits.failure_rate ~= nil
    and limits.slow_rate ~= nil
end

local function parse_limits(text)
  local failures, open_time, successes, calls, more =
    text:match('^(%d+):(%d+):(%d+):(%d+)(.*)$')
  local valid = failures and count(failures) and time(open_time) and count(successes)
    and count(calls)
  if not valid then return nil end
  local limits = { max_failure = count(failures), min_reporters = 1 }
  if more == '' then return limits end
  local reporters, rates = more:match('^:(%d+)(.*)$')
  limits.min_reporters = reporters and count(reporters)
  if not limits.min_reporters or (rates ~= '' and not read_rates(limits, rates)) then return nil end
  return limits
end

-- Those of the circuits of a batch are mostly the same.
local read_before = {}

-- What the text says, or nil if that is rubbish.
local function read_limits(text)
  if read_before[text] == nil then read_before[text] = parse_limits(text) or false end
  return read_before[text] or nil
end

local function thresholds(text)
  return read_limits(text) and text or nil
end

-- Scripts of the version before know the first four.
local function first_four(text)
  return text and text:match('^%d+:%d+:%d+:%d+') or ''
end
