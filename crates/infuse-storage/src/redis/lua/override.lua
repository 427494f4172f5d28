-- What someone put above the modes of processes: the mode, when it ends ("-" if it does not), who,
-- and why. Both texts are only kept and handed on: bytes beyond letters and digits stand as "%0A".

local MODES = { ['enabled'] = true, ['observe'] = true, ['disabled'] = true, ['isolated'] = true }
-- Bytes of each text.
local MOST_TEXT = 3 * 256

local function is_encoded(text)
  return #text <= MOST_TEXT and text:find('^[%w%%_.~-]*$')
    and not text:gsub('%%%x%x', ''):find('%', 1, true)
end

local function override(text)
  local mode, ends, by, reason = text:match('^([^:]*):([^:]*):([^:]*):([^:]*)$')
  if not (mode and MODES[mode] and is_encoded(by) and is_encoded(reason)) then return nil end
  local forever = ends == '-'
  ends = not forever and time(ends)
  if not (forever or ends) then return nil end
  return { mode = mode, ends = ends, by = by, reason = reason }
end

local function words_of_override(it, ends)
  return table.concat({ it.mode, ends and digits(ends) or '-', it.by, it.reason }, ':')
end

local function override_text(it)
  return words_of_override(it, it.ends)
end

-- One that holds from now on, of which it is said how long it lasts.
local function override_from_now(text)
  local it = text ~= '-' and override(text)
  if it and it.ends then it.ends = now + it.ends end
  return it or false
end

-- With how long it lasts, unless it has ended.
local function shown_override(it)
  if not it or (it.ends and it.ends <= now) then return '-' end
  return words_of_override(it, it.ends and it.ends - now)
end
