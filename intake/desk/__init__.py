"""The room of the reviewers: open, record, read and acknowledge, on machines with no network.

========================  ==================================================================
module                    what it knows
========================  ==================================================================
``opened``                the reading half of an envelope
``chain``                 frames and events: how they are read and verified
``record``                how events and source words are written
``state``                 the fold: what all events together say
``casebook``              the folder: its keyrings, its chains, its lock
``present``               the reviewers who are here, and their keys
``importing``             a bundle goes into the casebook
``judging``               what one row of a bundle is, and its words sealed again
``staging``               many blobs at once: durable first, then named
``cores``                 the same work for many items, on all cores
``copying``               the second copy, written and read back
``acknowledging``         what the server may delete
``labels``                what each code is called, from ``labels.toml``
``tally``                 who is counted, and why others are not
``tables``                how many people gave which answer
``charts``                where the bars of a table begin and end
``figures``               a tally as text, as a page, as CSV, as JSON
``zawgyi``                is a text Zawgyi, and its copy in Unicode
``searching``             texts, found however they are typed
``pieces``                which texts have passages in common
``similar``               cases that may be one person's, or from one hand
``scripts``               letters that stand in a word of another script
``noticing``              what a reviewer should look at twice
``visible``               the one way from a source's words to anything a reviewer looks at
``page``                  cases as text, and as a page
``exporting``             cases as JSON, and as a table
``slices``                which part of a source's file an envelope is
``assembling``            a source's file, put together from its slices
``inner``                 the key of what a source sealed with age themselves
``passage``               where a passage stands, and how it could be spelled
``redaction``             a case file that may leave the desk
``pages``                 the desk pages, in this machine's own browser
========================  ==================================================================
"""
