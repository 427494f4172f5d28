local function count_failures(c, who, reported, clears, last_success, text, rest, lapse_after)
  set_thresholds(c, text)
  -- What it knows of clears is from before the success that it tells of.
  local up_to_date = clears >= c.clears
  drop_refuted(c, last_success)
  if now < c.rest_until then return end
  -- Of a run that may have begun before a clear, the newest failure counts.
  local share = up_to_date and reported or math.max(c.shares[who] or 0, math.min(reported, 1))
  set_share(c, who, share)
  suspect(c, who, read_limits(text), rest, lapse_after)
end

local function act(
  c, presented, who, reported, clears, last_success, text, rest, lapse_after, held_off
)
  if compare(c, presented) then
    hold_off(c, tonumber(held_off))
    if c.state == 'closed' then
      count_failures(
        c, who, tonumber(reported), tonumber(clears), tonumber(last_success), text,
        tonumber(rest), tonumber(lapse_after)
      )
    end
  end
  c.share = c.shares[who]
end
