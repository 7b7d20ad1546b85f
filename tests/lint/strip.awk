# strip.awk - C files as "FILE:LINE:CODE", without comments and without what is in quotes,
# so that a search finds calls and not talk about calls. #include lines keep their quotes.
# With -v keep=1 all texts stay.
FNR == 1 { comment = 0 }
{
	line = $0
	code = ""
	if (!comment && line ~ /^[ \t]*#[ \t]*include/)
		keep_line = 1
	else
		keep_line = keep
	while (line != "") {
		if (comment) {
			if (!(at = index(line, "*/")))
				break
			line = substr(line, at + 2)
			comment = 0
			continue
		}
		if (!match(line, /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'|\/\*|\/\//)) {
			code = code line
			break
		}
		found = substr(line, RSTART, RLENGTH)
		code = code substr(line, 1, RSTART - 1)
		line = substr(line, RSTART + RLENGTH)
		if (found == "//")
			break
		if (found == "/*") {
			comment = 1
			code = code " "
		} else {
			code = code (keep_line ? found : substr(found, 1, 1) substr(found, 1, 1))
		}
	}
	if (code !~ /^[ \t]*$/)
		print FILENAME ":" FNR ":" code
}
