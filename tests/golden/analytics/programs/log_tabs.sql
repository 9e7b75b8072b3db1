SELECT STREAM VARIABLE_COLUMN_LOG_PARSE(message, 4, u&'\0009') AS parsed, U&'x!0041' UESCAPE '!' AS xa, u&'back\\slash' FROM logs;
