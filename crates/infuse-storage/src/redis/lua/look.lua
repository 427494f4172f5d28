-- The number of a fault: calls that were too slow.
local SLOW = 589824

-- `told` is who looks, for how long that opens, calls (how many, how many failed, were slow), and
-- what went wrong.
local function count_calls(c, text, limits, told)
  local who, open_time, calls, failed, slow, fault =
    told:match('^(%x+):(%d+):(%d+):(%d+):(%d+):(%d+)$')
  if not who or c.state ~= 'closed' then return end
  local counts = { calls = tonumber(calls), failures = tonumber(failed), slow = tonumber(slow) }
  if counts.calls == 0 then return end
  add_calls(c, limits, counts)
  for _, trouble in ipairs({ 'failures', 'slow' }) do
    if counts[trouble] > 0 then note_reporter(c, who, trouble) end
  end
  local why, trouble = judge(limits, (look_back(c, limits)))
  if why and has_reporters(c, limits, trouble) then
    open(c, why, who, tonumber(open_time), trouble == 'slow' and SLOW or tonumber(fault))
    c.thresholds = text
  end
end

local function act(c, presented, last_success, text, told)
  local limits = text ~= '-' and read_limits(text)
  if compare(c, presented) then
    drop_refuted(c, tonumber(last_success))
    if limits then count_calls(c, text, limits, told) end
  end
  if limits then c.counts = look_back(c, limits) end
end
