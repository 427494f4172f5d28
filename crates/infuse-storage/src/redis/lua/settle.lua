local function act(c, presented, token, outcome, success_threshold, open_time)
  if not compare(c, presented) then return end
  c.leases = running(c)
  local place
  for at, lease in ipairs(c.leases) do
    if lease.token == token then place = at end
  end
  if not place then return end
  table.remove(c.leases, place)
  c.dirty, c.pushed = true, true
  if outcome == 'failure' then
    change(c, 'open', 'trial-failed', owner(token))
    c.open_until = now + tonumber(open_time)
  elseif outcome == 'success' then
    c.successes = math.min(c.successes + 1, MOST_COUNT)
    if c.successes >= tonumber(success_threshold) then
      change(c, 'closed', 'trial-succeeded', owner(token))
    end
  end
end
