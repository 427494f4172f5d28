-- The calls that processes told of, and who told of trouble, as they are kept. A circuit has many of
-- them, so they are read and written with as little work as can be: what has not changed is written
-- as it was read.

local MOST_BUCKETS = 24
local MOST_REPORTERS = 16

local function together(all, word_of)
  local words = {}
  for at, it in ipairs(all) do words[at] = it.word or word_of(it) end
  return table.concat(words, ' ')
end

-- Each: when its first calls were told of, how many calls, how many failed, how many were slow.
-- Oldest first.
local function buckets(text)
  local all, length = {}, -1
  if text == '' then return all end
  for word, start, calls, failed, slow in text:gmatch('((%d+):(%d+):(%d+):(%d+))') do
    start, calls, failed, slow = tonumber(start), tonumber(calls), tonumber(failed), tonumber(slow)
    if start > MOST_TIME or math.max(calls, failed, slow) > MOST_COUNT then return nil end
    all[#all + 1] = { word = word, start = start, calls = calls, failures = failed, slow = slow }
    length = length + #word + 1
  end
  local valid = length == #text and not text:find('[^%d: ]') and not text:find(':%d+:%d+:%d+:')
  return valid and #all <= MOST_BUCKETS and all or nil
end

local function buckets_text(all)
  return together(all, function(it)
    return string.format('%.0f:%.0f:%.0f:%.0f', it.start, it.calls, it.failures, it.slow)
  end)
end

-- Each: who, when it last told of failures, when of slow calls. Who told longest ago comes first.
local function reporters(text)
  local all, length = {}, -1
  if text == '' then return all end
  for word, who, failed, slow in text:gmatch('(([0-9a-f]+):(%d*):(%d*))') do
    failed, slow = tonumber(failed) or false, tonumber(slow) or false
    if #who ~= 16 or math.max(failed or 0, slow or 0) > MOST_TIME then return nil end
    all[#all + 1] = { word = word, who = who, failures = failed, slow = slow }
    length = length + #word + 1
  end
  local valid = length == #text and not text:find('[^0-9a-f: ]') and not text:find(':%d*:%d*:')
  return valid and #all <= MOST_REPORTERS and all or nil
end

local function reporters_text(all)
  return together(all, function(it)
    local failed, slow = it.failures and digits(it.failures), it.slow and digits(it.slow)
    return table.concat({ it.who, failed or '', slow or '' }, ':')
  end)
end

-- How long a circuit recovers that has closed, and when that is over.
local function ramp(text)
  local whole, ends = text:match('^(%d+):(%d+)$')
  whole, ends = whole and time(whole), ends and time(ends)
  return whole and ends and { time = whole, ends = ends } or nil
end

local function ramp_text(it)
  return digits(it.time) .. ':' .. digits(it.ends)
end
