local function act(
  c, presented, token, outcome, success_threshold, open_time, ramp_time, held_off, fault
)
  if not compare(c, presented) then return end
  c.leases = running(c)
  local place
  for at, lease in ipairs(c.leases) do
    if lease.token == token then place = at end
  end
  if not place then return end
  table.remove(c.leases, place)
  c.dirty, c.pushed = true, true
  hold_off(c, tonumber(held_off))
  if outcome == 'failure' then
    open(c, 'trial-failed', owner(token), tonumber(open_time), tonumber(fault))
  elseif outcome == 'success' then
    c.successes = math.min(c.successes + 1, MOST_COUNT)
    if c.successes >= tonumber(success_threshold) then
      close(c, owner(token), tonumber(ramp_time))
    end
  end
end
