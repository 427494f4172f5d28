local function act(c, presented, token, state, open_time, late_by)
  late_by = tonumber(late_by)
  local late = c.generation > 0 and late_by and since(c.changed_at) <= late_by
  local pushed = c.pushed
  compare(c, presented)
  if late then return end
  c.pushed = pushed
  put(c, token, state, tonumber(open_time), 'seed')
end
