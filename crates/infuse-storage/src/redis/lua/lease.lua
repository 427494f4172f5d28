local function act(c, presented, token, lease, max_calls)
  local applies = compare(c, presented)
  c.leases = running(c)
  for _, other in ipairs(c.leases) do
    if other.token == token then c.granted = true end
  end
  if c.granted or not applies then return end
  max_calls = math.max(1, tonumber(max_calls))
  if c.max_calls ~= max_calls then
    c.max_calls = max_calls
    c.dirty = true
  end
  if c.state == 'closed' then return end
  if c.state == 'open' then
    if now < c.open_until then return end
    change(c, 'half-open', 'trial-started', owner(token))
  elseif trial_in(c) > 0 then
    return
  end
  c.leases[#c.leases + 1] = { token = token, ends = now + tonumber(lease) }
  c.granted, c.dirty = true, true
end
