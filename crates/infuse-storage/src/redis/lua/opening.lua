-- What opened a circuit: why, who ("-" if nobody knows), when, what went wrong last (a number that
-- is only kept and handed on, 0 if nobody knows), and who did it by hand and why. And the note of a
-- command: who, and why. Texts are encoded as those of overrides are.

local function opening(text)
  local why, by, at, fault, who, reason =
    text:match('^([^:]*):([^:]*):([^:]*):([^:]*):([^:]*):([^:]*)$')
  if not (why and (CAUSES[why] or NEWER_CAUSES[why])) then return nil end
  local it = {
    why = why, by = by ~= '-' and process(by), at = time(at), fault = count(fault),
    note = { who = who, reason = reason },
  }
  local valid = it.by ~= nil and it.at and it.fault and is_encoded(who) and is_encoded(reason)
  return valid and it or nil
end

local function words_of_opening(it, at)
  return table.concat(
    { it.why, it.by or '-', digits(at), digits(it.fault), it.note.who, it.note.reason }, ':'
  )
end

local function opening_text(it)
  return words_of_opening(it, it.at)
end

-- As whoever presents it knows it, who says how long ago that was.
local function opening_from_now(text)
  local it = text ~= '-' and opening(text)
  if it then it.at = since(it.at) end
  return it or false
end

-- What opened a circuit anew.
local function new_opening(why, by, fault, note)
  note = note or { who = '', reason = '' }
  return { why = why, by = by, at = now, fault = fault or 0, note = note }
end

-- The same, of which something else went wrong last.
local function with_fault(it, fault)
  return { why = it.why, by = it.by, at = it.at, fault = fault or 0, note = it.note }
end

-- With how long ago that was.
local function shown_opening(it)
  return it and words_of_opening(it, since(it.at)) or '-'
end

local function note(text)
  local who, reason = text:match('^([^:]*):([^:]*)$')
  return who and is_encoded(who) and is_encoded(reason) and { who = who, reason = reason } or nil
end

local function note_text(it)
  return it.who .. ':' .. it.reason
end

local function shown_note(it)
  return it and note_text(it) or '-'
end
