local function act(c, presented, who, open_time, limits, in_generation, id, grace)
  if not compare(c, presented) or c.state == 'open' then return end
  if id ~= '-' then
    if not stands(c, tonumber(in_generation), tonumber(id)) then return end
    if since(c.suspected.at) > 2 * tonumber(grace) then
      renew(c)
      return
    end
  end
  change(c, 'open', 'failures', who)
  c.thresholds = limits
  c.open_until = now + tonumber(open_time)
end
