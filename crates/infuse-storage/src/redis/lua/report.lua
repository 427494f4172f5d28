local function count_failures(c, who, reported, up_to_date, max_failure, rest, lapse)
  -- Of a run that may have begun before a clear, the newest failure counts.
  local share = up_to_date and reported or math.max(c.shares[who] or 0, math.min(reported, 1))
  if c.shares[who] ~= (share > 0 and share or nil) then
    c.shares[who] = share > 0 and share or nil
    c.dirty = true
  end
  local first = c.first_failure
  if share > 0 then
    first = first or now
  elseif not next(c.shares) then
    first = false
  end
  if first ~= c.first_failure then
    c.first_failure, c.dirty = first, true
  end
  if c.suspected then
    if failures(c) >= c.suspected.max_failure then return end
    -- A share has fallen, because a call has succeeded there.
    c.suspected = false
    if c.lifted then set_counter(c, c.theirs) end
    c.dirty, c.pushed = true, true
    return
  end
  if share == 0 or failures(c) < max_failure then return end
  c.suspected = {
    id = next_suspicion(c), by = who, at = now, renewals = 0, max_failure = max_failure,
    rest = rest, lapse = lapse,
  }
  -- A stranger's success sets it to 0, and clears the suspicion by that.
  if counter(c) == 0 then
    c.to_write.fail_counter, c.lifted = 1, true
  end
  c.dirty, c.pushed = true, true
end

local function act(
  c, presented, who, reported, clears, last_success, max_failure, limits, rest, lapse
)
  if compare(c, presented) and c.state == 'closed' then
    if c.thresholds ~= limits then
      c.thresholds = limits
      c.dirty = true
    end
    -- What it knows of clears is from before the success that it tells of.
    local up_to_date = tonumber(clears) >= c.clears
    drop_refuted(c, tonumber(last_success))
    if now >= c.rest_until then
      count_failures(
        c, who, tonumber(reported), up_to_date, tonumber(max_failure), tonumber(rest),
        tonumber(lapse)
      )
    end
  end
  c.share = c.shares[who]
end
