"""The way in for participants and caregivers.

1. A page that is opened spends nothing: whatever opens an address (people, mail scanners with and without scripts) sees a page.
2. A POST from that page spends a link, where it was asked for or with six digits; then a PIN may be set for this device.
3. A device with a PIN asks for the PIN alone.
4. Who asks for a link reads the same answer after the same time, whether the address is known or not.
5. A caregiver chooses for whom they act; the choice is asked of the store at every act.
"""
