local function act(c, presented, token, state, open_time)
  -- Its standing does not matter: it applies in any case.
  compare(c, presented)
  put(c, token, state, tonumber(open_time), 'manual')
end
