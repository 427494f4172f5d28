local function act(c, presented, token, state, open_time)
  -- Its standing does not matter: it applies in any case, and is pushed by that.
  local pushed = c.pushed
  compare(c, presented)
  c.pushed = pushed
  put(c, token, state, tonumber(open_time), 'manual')
end
