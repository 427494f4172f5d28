local function act(c, presented, last_success)
  if compare(c, presented) then drop_refuted(c, tonumber(last_success)) end
end
