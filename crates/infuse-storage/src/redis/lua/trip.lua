-- A process has opened itself, and too few others have seen failures.
local function count_trip(c, who, text, limits, why, trouble, reported)
  set_thresholds(c, text)
  -- It tells of no calls any more.
  if NEWER_CAUSES[why] and why ~= 'rule' and limits.window then note_reporter(c, who, trouble) end
  if now < c.rest_until then return end
  set_share(c, who, reported)
  if c.suspected then end_suspicion_of_less(c) end
end

local function act(
  c, presented, who, open_time, text, in_generation, id, grace, why, reported, fault
)
  if not compare(c, presented) or c.state == 'open' then return end
  if id ~= '-' then
    if not stands(c, tonumber(in_generation), tonumber(id)) then return end
    if since(c.suspected.at) > 2 * tonumber(grace) then
      renew(c)
      return
    end
  elseif c.state == 'closed' then
    local limits = read_limits(text)
    local trouble = why == 'slow-call-rate' and 'slow' or 'failures'
    if not has_reporters(c, limits, trouble, who) then
      count_trip(c, who, text, limits, why, trouble, tonumber(reported))
      return
    end
  end
  open(c, why, who, tonumber(open_time), tonumber(fault))
  c.thresholds = text
end
