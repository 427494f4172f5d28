local function act(c, presented, token, state, open_time, late_by)
  late_by = tonumber(late_by)
  local late = c.generation > 0 and late_by and since(c.changed_at) <= late_by
  compare(c, presented)
  if not late and is_new(c, token) then put(c, token, state, tonumber(open_time), 'seed') end
end
