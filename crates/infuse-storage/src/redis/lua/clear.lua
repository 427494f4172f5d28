local function act(c, presented, in_generation, id)
  if compare(c, presented) and stands(c, tonumber(in_generation), tonumber(id)) then
    drop_shares(c)
    c.pushed = true
  end
end
