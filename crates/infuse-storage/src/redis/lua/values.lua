-- What keys and fields may hold. All of it is checked before it is believed: `tonumber` takes
-- "nan", "1e400" and "0x10" for numbers. A reader answers nil to rubbish, and false to "none".

local MOST_COUNT = 4294967295
local MOST_GENERATION = 999999999999999
local MOST_TIME = 9000000000000000

-- How long ago that was.
local function since(time) return math.max(0, now - time) end
-- How long until then.
local function left(time) return math.max(0, time - now) end

local STATES = { ['closed'] = true, ['open'] = true, ['half-open'] = true }
local CAUSES = {
  ['failures'] = true, ['trial-started'] = true, ['trial-failed'] = true,
  ['trial-succeeded'] = true, ['manual'] = true, ['seed'] = true, ['fallback'] = true,
  ['adopted'] = true,
}
-- Those that scripts of the version before do not know.
local NEWER_CAUSES = { ['failure-rate'] = true, ['slow-call-rate'] = true, ['rule'] = true }

-- A number as text. `..` would write 1.8e15 as "1.8e+15".
local function digits(value)
  return string.format('%.0f', value)
end

local function number(text, most)
  if text:find('^%d+$') then
    local value = tonumber(text)
    return value <= most and value or nil
  end
end

local function count(text) return number(text, MOST_COUNT) end
local function generation(text) return number(text, MOST_GENERATION) end
local function time(text) return number(text, MOST_TIME) end
local function state(text) return STATES[text] and text or nil end
local function cause(text) return CAUSES[text] and text or nil end
local function newer_cause(text) return NEWER_CAUSES[text] and text or nil end

local function process(text)
  return #text == 16 and text:find('^[0-9a-f]+$') and text or nil
end

local function token(text)
  return #text <= 37 and process(text:sub(1, 16)) and text:find('^-%d+$', 17) and text or nil
end

-- Whose token it is.
local function owner(token)
  return token:sub(1, 16)
end

local function optional(read)
  return function(text)
    if text == '' then return false end
    return read(text)
  end
end

local function flag(text)
  if text == '1' then return true end
  if text == '' then return false end
end

local function suspicion(text)
  local id, by, at, renewals, max_failure, rest, lapse =
    text:match('^(%d+):(%x+):(%d+):(%d+):(%d+):(%d+):(%d+)$')
  if not id then return nil end
  local suspected = {
    id = time(id), by = process(by), at = time(at), renewals = count(renewals),
    max_failure = count(max_failure), rest = time(rest), lapse = time(lapse),
  }
  local valid = suspected.id and suspected.by and suspected.at and suspected.renewals
    and suspected.max_failure and suspected.rest and suspected.lapse
  return valid and suspected or nil
end

local function suspicion_text(it)
  return table.concat({
    digits(it.id), it.by, digits(it.at), digits(it.renewals), digits(it.max_failure),
    digits(it.rest), digits(it.lapse),
  }, ':')
end

-- Tokens and when their leases end.
local function leases(text)
  local all = {}
  for word in text:gmatch('[^ ]+') do
    local name, ends = word:match('^(%x+%-%d+):(%d+)$')
    name, ends = name and token(name), ends and time(ends)
    if not (name and ends) then return nil end
    all[#all + 1] = { token = name, ends = ends }
  end
  return all
end

local function tokens(text)
  local all = {}
  for word in text:gmatch('[^ ]+') do
    if not token(word) then return nil end
    all[#all + 1] = word
  end
  return all
end

local function tokens_text(all)
  return table.concat(all, ' ')
end

local function leases_text(all)
  local words = {}
  for at, lease in ipairs(all) do words[at] = lease.token .. ':' .. digits(lease.ends) end
  return table.concat(words, ' ')
end

local function text(value)
  if not value then return '' end
  if value == true then return '1' end
  return type(value) == 'number' and digits(value) or value
end
