-- A command that says no state is about the override.
local function act(c, presented, token, state, open_time, override, said)
  -- Its standing does not matter: it applies in any case.
  compare(c, presented)
  if not is_new(c, token) then return end
  if state ~= '-' then
    put(c, token, state, tonumber(open_time), 'manual', said ~= '-' and note(said))
  else
    -- The circuit stays in its state since when it was, why and by whom.
    begin_generation(c)
    c.override = override_from_now(override)
  end
end
